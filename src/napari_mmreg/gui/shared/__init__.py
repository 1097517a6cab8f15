"""What more than one dock uses."""
