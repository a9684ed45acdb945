export const title = "Words of the day";
