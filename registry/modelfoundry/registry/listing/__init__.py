"""What all lists share: filters, orders, page tokens and pages."""
