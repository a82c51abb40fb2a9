"""The protocols' own `.proto` files, which `transport.proto` reads."""
