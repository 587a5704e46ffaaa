"""Power loss for processes: what they have not synced is lost, kept or torn, by chance.

a change -> its record, then the change -> the process is killed -> `replay.power_loss`
"""
