"""What is known of a lead for a framework such as BANT, and what is best asked next: what router and handoff reckon alike. Pure."""
