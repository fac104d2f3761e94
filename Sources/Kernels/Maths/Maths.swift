/// Elementary functions of our own, so that every machine gets the same bits: only +, -, *, /, square root and fused
/// multiply-add, never the C library.
///
/// docs/numerics.md states the methods and the error bounds.
public enum Maths {}
