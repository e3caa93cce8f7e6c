"""The durable job queue: operations, their events, and the leases that workers hold on them."""
