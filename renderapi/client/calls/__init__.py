"""One function for each client: it checks what it is given, and hands the work to Java or does it here."""
