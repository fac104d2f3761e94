// The model's numbers come from a file: what passes 64 bits is as good as endless.

func sum(_ terms: Int...) -> Int {
  terms.reduce(0) { left, right in
    let (result, overflow) = left.addingReportingOverflow(right)
    return overflow ? .max : result
  }
}

func product(_ factors: Int...) -> Int {
  factors.reduce(1) { left, right in
    let (result, overflow) = left.multipliedReportingOverflow(by: right)
    return overflow ? .max : result
  }
}
