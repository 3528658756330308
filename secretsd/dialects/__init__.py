"""Wire forms: each dialect translates its requests onto operations and answers back."""
