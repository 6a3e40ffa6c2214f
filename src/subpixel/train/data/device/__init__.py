"""Crops drawn on the device that trains, of luma that lies in its memory."""
