"""Published models become something that runs elsewhere: render (pure), then apply."""
