"""What starts sizewise and the real services around it.

Law: imports no room of the house and is no part of the wheel; it is run from the checkout.
"""
