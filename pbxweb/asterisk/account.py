"""The one account of Asterisk's manager interface: ``manager.conf`` is rendered with it, the link signs in with it."""

from __future__ import annotations

AMI_USER = "pbxweb"
# The name under which ``Vault.text`` keeps (and at first makes) the account's secret.
AMI_SECRET = "ami"  # noqa: S105 - a name, not a secret
