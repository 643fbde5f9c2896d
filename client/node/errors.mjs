// What can go wrong, as errors: each one says whether the operation certainly did not happen.
//
// ClientError
//  ├─ BadInput            refused here, before anything was sent
//  │   └─ PayloadTooLarge larger than the server's max_payload
//  ├─ NoResponders        nobody listens on the subject
//  ├─ NoStream            no stream stores the subject
//  ├─ RequestTimeout      no answer in time: it may have happened
//  ├─ ConnectionFailed    no connection, or it broke
//  ├─ PermissionDenied    the server does not let this user do it
//  ├─ ServiceError        the service answered with an error: code, reason, type
//  ├─ DomainError         the service answered that the question has no answer
//  ├─ PublishRefused      JetStream answered, and stored nothing
//  └─ BadReply            an answer came that does not follow the contract
//
// `definite` is true where it certainly did not happen, so that doing it again cannot do it twice.
// It is false where it may have happened: look first, or repeat only what is idempotent.

/** Base of everything this package throws on purpose. */
export class ClientError extends Error {
  /** The word that clients of all languages share for this failure. @type {string} */
  kind = "other";
  /** True if the operation certainly did not happen. @type {boolean} */
  definite = false;

  /**
   * @param {string} message
   * @param {{ cause?: unknown }} [options]
   */
  constructor(message, options) {
    super(message, options);
    this.name = new.target.name;
  }
}

/** The arguments cannot be sent; nothing was. */
export class BadInput extends ClientError {
  kind = "bad_input";
  definite = true;
}

/** Headers and body together exceed what the server accepts; nothing was sent. */
export class PayloadTooLarge extends BadInput {
  kind = "max_payload";
}

/** Nobody listens on the subject: the service is not running. */
export class NoResponders extends ClientError {
  kind = "no_responders";
  definite = true;
}

/** No stream stores what is published on the subject, so nothing was stored. */
export class NoStream extends ClientError {
  kind = "no_stream";
  definite = true;
}

/** No answer came in time. It may have happened all the same. */
export class RequestTimeout extends ClientError {
  kind = "timeout";
}

/** There was no connection to send on (definite), or it broke on the way (not definite). */
export class ConnectionFailed extends ClientError {
  kind = "connection";

  /**
   * @param {string} message
   * @param {{ definite: boolean, cause?: unknown }} options
   */
  constructor(message, { definite, cause }) {
    super(message, { cause });
    this.definite = definite;
  }
}

/** The server refused it for this user. */
export class PermissionDenied extends ClientError {
  kind = "permissions";
  definite = true;
}

/**
 * The service answered with an error.
 *
 * `code` is HTTP's: 400 for a request it cannot handle, 500 for a failure inside, 503 while it is
 * overloaded or draining. `type` is its one word for it, as `bad-request`; may be empty.
 */
export class ServiceError extends ClientError {
  kind = "service_error";

  /**
   * @param {number} code
   * @param {string} reason
   * @param {string} [type]
   */
  constructor(code, reason, type = "") {
    super(`${code}: ${reason}`);
    this.code = code;
    this.reason = reason;
    this.type = type;
    // A failure inside may have come after the effect; the others come before the work.
    this.definite = (code >= 400 && code < 500) || code === 503;
  }
}

/** The service understood, and the answer is that there is none, as `invalid operation`. */
export class DomainError extends ClientError {
  kind = "domain";
  definite = true;
}

/** JetStream answered with an error and stored nothing; `code` and `errCode` are its own. */
export class PublishRefused extends ClientError {
  definite = true;

  /**
   * @param {number} code
   * @param {number} errCode
   * @param {string} message
   */
  constructor(code, errCode, message) {
    super(message);
    this.code = code;
    this.errCode = errCode;
  }
}

/** An answer came, and it does not follow the contract: not JSON, or a field is missing. */
export class BadReply extends ClientError {}
