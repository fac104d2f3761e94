import Testing

/// Everything here drives the built program, as several processes; one test at a time, because they share the machine.
@Suite("the command line", .serialized)
struct CommandLineTests {}
