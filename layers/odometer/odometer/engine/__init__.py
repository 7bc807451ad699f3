"""Usage as a meter: what is stored of it, how it gets there, and how it is read.

`format`: what an item of each kind holds.
  `keys`          every partition and sort key
  `log_entries`   a batch as it was accepted
  `decisions`     fold, plan, rebuild and head: the items that decide what counts and what is seen
  `segments`      the events of a product by time; also the digests of all that have counted
  `frames`        what each user has used: one number for each user and measure
  `readings`      the frames that add up to the totals at a day: a keyframe and the deltas after it
  `latest`        items that are overwritten: last activity, users of a month, arrivals
  `products`      products, and the projections that hold the same usage by other rows
  `records`, `codec`   events and numbers as bytes
`write`: one module for each step.
  `fold`          decides which accepted events count
  `settle`        makes a plan of the next folds and writes it: `segments`, `frames`, `latest`, head
  `frames`        writes deltas and late items, and keyframes when a week or a year ends
  `rebuild`       makes frames again from segments
  `retire`        removes replaced frames and years that are kept no longer
`read`: one module for each question.
  `views`         what an organization had used at one moment
  `measuring`     what every user has used in a period
  `series`        the same in several blocks of time
  `projections`   what everybody, or one user, has used of each product
  `activity`      when users were last active, and who was active in a month
  `coverage`      what has arrived from each source
  `explain`       the items and events that a figure is the sum of
  `verify`        frames compared with the events that they were made from
`calendar`: days, weeks and years as frames count them. `store`: the storage that the engine needs.
"""
