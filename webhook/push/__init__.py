"""What browsers need of us to be told: the public key, a service worker, and a place that keeps their subscriptions."""
