"""What secretsd does: operations, declared once and written as plain functions, and the pipeline that runs them."""
