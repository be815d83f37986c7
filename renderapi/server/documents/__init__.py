"""Documents as render-ws keeps and answers them: completed, resolved, measured, mapped."""
