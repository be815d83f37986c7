"""How the specimen of these tests is photographed: every so many pixels, images of a size."""

STEP, WIDTH, HEIGHT = 80, 100, 90
