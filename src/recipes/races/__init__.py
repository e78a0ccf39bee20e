"""Parts of the races in `recipes.speedrun`."""
