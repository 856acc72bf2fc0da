"""Links by which a rep answers an offer without signing in: from chat or mail, for one offer, until it has been answered."""
