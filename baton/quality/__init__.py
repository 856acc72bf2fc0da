"""How good a written scoring policy is on real leads whose end is known: learnt from the past, judged on what came after."""
