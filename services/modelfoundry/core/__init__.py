"""What a module is: networks, images, masks, searches and figures. Knows torch; knows no gRPC."""
