/** What one request holds of its user's limits. Ended exactly once; ending twice does nothing. */
export interface Reservation {
  end(outcome: ReservationEnd): void;
}

export interface ReservationEnd {
  /** False: no worker saw any of it, so what was counted is given back. */
  readonly sent: boolean;
  /** Prompt and completion tokens as the worker reported them; null = it did not say. */
  readonly tokens: number | null;
}
