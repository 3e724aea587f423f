"""What attacks, margins and robust training share: goals, losses, steps, budgets. It must not hold a component."""
