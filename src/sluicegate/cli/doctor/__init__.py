"""`sluicegate doctor`: looks at everything that a server stands on, and changes nothing."""
