"""The webhook: takes what Stripe sends, and answers only for what is stored."""
