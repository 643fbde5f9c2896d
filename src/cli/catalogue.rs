//! The services and operations that `call` and `publish` know by name, for their help.

/// The table of `call --help`.
pub const CALLS: &str = "\
Services:
  math add|subtract|multiply|divide|power A B   print the result
  math sqrt A                                   print the result
  payment status PAYMENT_ID                     print where a payment stands

Any other service, by module and name or by subject:
  call math calculate --data '{\"operation\": \"add\", \"a\": 10, \"b\": 5}'
  call services.math.calculate --data @request.json
  echo '{\"payment_id\": \"pay-001\"}' | mono-demo call payment status --data -";

/// The table of `publish --help`.
pub const PUBLISHES: &str = "\
Services:
  notification email-send TO SUBJECT [BODY]   queue an email (fire-and-forget: with no worker it is
                                              gone, and --confirm says so)

Any other, by module and name or by subject; -J waits for the stream's acknowledgement:
  publish notification email-send --data '{\"to\": \"user@example.com\", \"subject\": \"Hello\"}'
  publish -J services.payment.payment-process --data @payment.json";
