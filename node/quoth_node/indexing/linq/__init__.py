"""The subset of C# LINQ that index definitions are written in, translated to JavaScript."""
