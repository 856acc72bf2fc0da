"""How the customer approves the purchase (稟議): the route, where it stands, and the material that the draft takes along."""
