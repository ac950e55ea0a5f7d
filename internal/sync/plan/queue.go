package plan

// queueID is the queue in which a mailbox waits.
type queueID uint8

const (
	queueNone  queueID = iota // none: it is being asked
	queueEarly                // fresh: asked when due, or earlier to level the load
	queueLate                 // fresh, but its phone is silent while others synchronise: not before it is due
	queueAgain                // all others, new ones among them
	queues
)

// queue is a heap of mailboxes, the one that is due first at the top. Each
// mailbox knows its slot, so that it can be removed from the middle.
type queue struct {
	p   *Planner
	ids []int32
}

func (q *queue) top() (int32, bool) {
	if len(q.ids) == 0 {
		return -1, false
	}
	return q.ids[0], true
}

func (q *queue) push(id int32) {
	q.ids = append(q.ids, id)
	q.up(q.put(len(q.ids)-1, id))
}

func (q *queue) remove(slot int) {
	last := len(q.ids) - 1
	moved := q.ids[last]
	q.ids = q.ids[:last]
	if slot < last {
		q.put(slot, moved)
		q.down(q.up(slot))
	}
}

func (q *queue) put(slot int, id int32) int {
	q.ids[slot] = id
	q.p.all[id].slot = int32(slot)
	return slot
}

func (q *queue) less(i, j int) bool {
	a, b := &q.p.all[q.ids[i]], &q.p.all[q.ids[j]]
	if a.due != b.due {
		return a.due < b.due
	}
	return scattered(q.ids[i]) < scattered(q.ids[j])
}

// scattered returns a number for each mailbox, different for all of them, that
// puts neighbours of a list far apart: mailboxes that cannot be asked may stand
// together there. It is the last step of MurmurHash3, which maps no two inputs to
// one output. A multiple of the golden ratio would give the order of the samples.
func scattered(id int32) uint32 {
	h := uint32(id)
	h = (h ^ h>>16) * 0x85ebca6b
	h = (h ^ h>>13) * 0xc2b2ae35
	return h ^ h>>16
}

func (q *queue) swap(i, j int) {
	a, b := q.ids[i], q.ids[j]
	q.put(i, b)
	q.put(j, a)
}

func (q *queue) up(i int) int {
	for i > 0 && q.less(i, (i-1)/2) {
		q.swap(i, (i-1)/2)
		i = (i - 1) / 2
	}
	return i
}

func (q *queue) down(i int) {
	for {
		least := i
		for child := 2*i + 1; child <= 2*i+2 && child < len(q.ids); child++ {
			if q.less(child, least) {
				least = child
			}
		}
		if least == i {
			return
		}
		q.swap(i, least)
		i = least
	}
}
