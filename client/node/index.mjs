// Clients for the services of mono-demo, over a connection of nats.js.
//
//     import { connect } from "@nats-io/transport-node";
//     import { EmailClient, MathClient, PaymentClient } from "mono-demo-client";
//
//     const nc = await connect({ servers: "nats://localhost:4222" });
//     await new MathClient(nc).add(10, 5);  // 15
//     await new EmailClient(nc).sendEmail("user@example.com", "Subject", "Body");
//     const payment = new PaymentClient(nc);
//     await payment.submitPayment("pay-001", "user-123", "sub-monthly", 9.99);
//     await payment.waitForStatus("pay-001");
//     await nc.drain();
//
// Every error is a ClientError that says whether the operation certainly did not happen: see
// `errors.mjs`. One file a pattern: `math` (request-reply), `email` (queue group), `payment`
// (JetStream). `driver.mjs` speaks for these classes to `mono-demo e2e`.

export { EmailClient } from "./email.mjs";
export * from "./errors.mjs";
export { MathClient } from "./math.mjs";
export { PaymentClient } from "./payment.mjs";

/** @typedef {import("./email.mjs").Email} Email */
/** @typedef {import("./math.mjs").MathReply} MathReply */
/** @typedef {import("./money.mjs").Amount} Amount */
/** @typedef {import("./payment.mjs").PaymentStatus} PaymentStatus */
/** @typedef {import("./payment.mjs").Status} Status */
/** @typedef {import("./wire.mjs").Ack} Ack */
