SELECT 1; -- the number is taken
