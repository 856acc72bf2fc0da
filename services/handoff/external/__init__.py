"""Opportunities by the ids that other systems, such as a CRM, have for them."""
