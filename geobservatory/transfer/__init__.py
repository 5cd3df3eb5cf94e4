"""From a hub to the disk: resumed, verified, whole, and never more at once than a hub allows."""
