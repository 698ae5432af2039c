"""First run, dashboard, status, revisions, audit trail."""
