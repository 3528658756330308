-- A rotator that notes before its effect: reads wait from its note on, not while the target is being reached.

ALTER TABLE rotations ADD COLUMN unnoted INTEGER NOT NULL DEFAULT 0 CHECK (unnoted IN (0, 1));
