import { SHORTEST_S, distinct, list, mapping, moment, name, seconds, whole } from "../fields.ts";

const gpuLimit = () => whole(0, 100_000);
const requestLimit = () => whole(0, 1_000_000_000);
const priorityLimit = () => whole(1, 5);
const tokenLimit = () => whole(1, 1_000_000_000_000);

export const userQuotaManager = mapping({
  default_gpu_limit: gpuLimit()
    .default(2)
    .describe("How many workers a user may occupy at once, unless users says otherwise."),
  default_request_limit: requestLimit()
    .default(100)
    .describe("How many requests a user may send per quota_check_interval."),
  default_priority_limit: priorityLimit()
    .default(3)
    .describe("Highest priority (1 to 5) that a user may ask for."),
  quota_check_interval: seconds(SHORTEST_S, 86_400)
    .default(60)
    .describe("Length of the sliding window in which requests are counted."),
})
  .prefault({})
  .describe("Limits of users that have none of their own.");

const user = mapping({
  id: name().describe("The user, as auth.keys names them."),
  gpu_limit: gpuLimit()
    .nullable()
    .default(null)
    .describe("Workers this user may occupy at once. null = default_gpu_limit."),
  request_limit: requestLimit()
    .nullable()
    .default(null)
    .describe("Requests per quota_check_interval. null = default_request_limit."),
  priority_limit: priorityLimit()
    .nullable()
    .default(null)
    .describe("Highest priority (1 to 5). null = default_priority_limit."),
  token_limit: tokenLimit()
    .nullable()
    .default(null)
    .describe("Prompt and completion tokens per quota_check_interval. null = no limit."),
  expiration_time: moment()
    .nullable()
    .default(null)
    .describe("From then on this entry does not apply, and the defaults do. null = never."),
});

export const users = distinct(list(user), "id")
  .default([])
  .describe("Users with limits of their own.");
