"""The tenant's accounts from files: read, compared with what is known, written. (`baton scoring account` shows scores.)"""
