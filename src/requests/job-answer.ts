import type { Answer, AnswerSink } from "../dispatch/answer.ts";
import type { RouterError } from "../errors.ts";

/** Keeps the answer to a job. Jobs never stream: their payload may not ask for it. */
export class JobAnswer implements AnswerSink {
  answer: Answer | null = null;
  error: RouterError | null = null;

  whole(answer: Answer): void {
    this.answer = answer;
  }

  refuse(error: RouterError): void {
    this.error = error;
  }

  fail(error: RouterError): number {
    this.error = error;
    return error.status;
  }

  begin(): never {
    throw new Error("a job's answer cannot be a stream");
  }

  write(): never {
    return this.begin();
  }

  onDrain(): never {
    return this.begin();
  }

  end(): never {
    return this.begin();
  }

  cut(): never {
    return this.begin();
  }
}
