/** What users occupy now: placements, and how many of their leases are on each. */
export class Holdings {
  readonly #byUser = new Map<string, Map<number, number>>();

  add(user: string, placement: number): void {
    let held = this.#byUser.get(user);
    if (!held) {
      if (this.#byUser.size >= USERS_KEPT) this.#forgetIdle();
      held = new Map<number, number>();
      this.#byUser.set(user, held);
    }
    held.set(placement, (held.get(placement) ?? 0) + 1);
  }

  remove(user: string, placement: number): void {
    const held = this.#byUser.get(user);
    const count = held?.get(placement) ?? 0;
    if (count > 1) held?.set(placement, count - 1);
    else held?.delete(placement);
  }

  /** How many placements the user occupies. */
  count(user: string): number {
    return this.#byUser.get(user)?.size ?? 0;
  }

  of(user: string): Iterable<number> {
    return this.#byUser.get(user)?.keys() ?? [];
  }

  has(user: string, placement: number): boolean {
    return this.#byUser.get(user)?.has(placement) === true;
  }

  /** Leases of all users; must equal the leases of all workers. */
  get leaseCount(): number {
    let sum = 0;
    for (const held of this.#byUser.values()) for (const count of held.values()) sum += count;
    return sum;
  }

  /** Users come and go with each request: forgetting them at once would cost more than keeping them. */
  #forgetIdle(): void {
    for (const [user, held] of this.#byUser) if (held.size === 0) this.#byUser.delete(user);
  }
}

const USERS_KEPT = 1000;
