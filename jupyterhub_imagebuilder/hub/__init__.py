"""What runs inside the hub: the form's choice, the gate, and the wait for a build."""
