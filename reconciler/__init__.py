"""The reconciler: what Stripe says was paid, brought into your invoices."""
