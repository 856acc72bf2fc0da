"""What happens to an opportunity, its offers and its clocks. Pure: frozen state in, new state and events out."""
