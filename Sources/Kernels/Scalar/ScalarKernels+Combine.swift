extension ScalarKernels {
  /// Magnitude below which a contribution must stay, in units of the grid.
  static let gridLimit = 0x1p51
  /// Adding it to a number below `gridLimit` rounds that to an integer, ties to even, in the low bits.
  static let gridMagic = 0x1.8p52

  static let accumulate: FloatKernels.Accumulate = { values, weight, scale, count, sums in
    var fits = true
    for index in 0..<count {
      let value = Double(weight * values[index]) * scale
      fits = fits && value.magnitude < gridLimit
      sums[index] &+= Int64(bitPattern: (value + gridMagic).bitPattern &- gridMagic.bitPattern)
    }
    return fits
  }

  static let addAccumulated: FloatKernels.AddAccumulated = { sums, scale, count, residual in
    for index in 0..<count { residual[index] += Float(Double(sums[index]) * scale) }
  }
}
