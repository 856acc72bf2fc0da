"""The demo: invented companies, what their people do, and the reps who answer."""
