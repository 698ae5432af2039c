"""Everything between pbxweb and the Asterisk process."""
