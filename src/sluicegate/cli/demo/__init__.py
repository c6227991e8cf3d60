"""`sluicegate demo`: the main job, shown and checked in one terminal."""
