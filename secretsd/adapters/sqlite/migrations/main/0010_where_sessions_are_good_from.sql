-- Sessions are good from where the proof that opened them is good from; "" is anywhere, as all were until now.

ALTER TABLE sessions ADD COLUMN network TEXT NOT NULL DEFAULT '';
