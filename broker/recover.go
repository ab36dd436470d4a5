package broker

import (
	"encoding/json"
	"fmt"

	"github.com/warren-mq/warren/auth"
	"github.com/warren-mq/warren/exchange"
	"github.com/warren-mq/warren/storage"
)

// recover brings back what the store holds: users, vhosts, exchanges, queues with their messages, bindings. A store
// that is new gets the default vhost and the users of the configuration.
func (b *Broker) recover() error {
	st := b.cfg.Store
	st.Notify(b.commits.reached)
	st.NotifyWritten(b.writes.reached)
	logs := make(map[string]*storage.Log)
	for _, l := range st.Logs() {
		logs[string(l.Tag())] = l
	}
	found := false
	for _, step := range []struct {
		kind byte
		load func(key, value []byte) error
	}{
		{kindOfStarts, b.recoverStarts},
		{kindVHost, func(key, value []byte) error { found = true; return b.recoverVHost(key, value) }},
		{kindUser, b.recoverUser},
		{kindPermission, b.recoverPermission},
		{kindOfExchange, b.recoverExchange},
		{kindOfQueue, func(key, value []byte) error { return b.recoverQueue(key, value, logs) }},
		{kindOfBinding, func(_, value []byte) error { return b.recoverBinding(value) }},
	} {
		if step.kind == kindUser {
			if !found {
				return b.firstBoot()
			}
			b.forgetConfiguredUsers()
		}
		if err := b.eachDefinition(step.kind, step.load); err != nil {
			return err
		}
	}
	if err := b.recoverWindows(); err != nil {
		return err
	}
	b.Enter()
	defer b.Leave()
	b.putStarts()
	if err := b.recoverDelayed(logs); err != nil {
		return err
	}
	for _, l := range logs { // of queues whose definition is gone
		l.Drop()
	}
	// The time that the broker was away counts for messages, and not for the queues themselves.
	now := b.nowMillis()
	var fx Effects
	for _, vh := range b.VHosts() {
		for q := range vh.EachQueue() {
			q.recovered(now, &fx)
		}
	}
	return nil
}

// eachDefinition calls load with the entries of one kind and their values behind the version.
func (b *Broker) eachDefinition(kind byte, load func(key, value []byte) error) error {
	return b.cfg.Store.Table([]byte{kind}, func(key, value []byte) error {
		if len(value) < 1 || value[0] != definitionVersion {
			return fmt.Errorf("definition %q has a format that this version does not know", key)
		}
		if err := load(key, value[1:]); err != nil {
			return fmt.Errorf("recover definition %q: %w", key, err)
		}
		return nil
	})
}

// firstBoot fills an empty store.
func (b *Broker) firstBoot() error {
	b.Enter()
	defer b.Leave()
	if _, err := b.AddVHost(b.cfg.DefaultVHost); err != nil {
		return fmt.Errorf("create the default vhost: %w", err)
	}
	b.putStarts()
	b.put(definitionKey(kindVHost, b.cfg.DefaultVHost), nil)
	for _, u := range b.Users.All() {
		if err := b.putUser(u); err != nil {
			return err
		}
	}
	for _, row := range b.Users.Permissions() {
		if err := b.putPermission(row); err != nil {
			return err
		}
	}
	return nil
}

func (b *Broker) recoverVHost(key, value []byte) error {
	names, err := cutNames(key, 1)
	if err != nil {
		return err
	}
	vh, err := b.AddVHost(names[0])
	if err == nil && len(value) > 0 { // older versions set nothing
		vh.setTracing(value[0]&flagTracing != 0)
	}
	return err
}

func (b *Broker) recoverExchange(key, value []byte) error {
	names, err := cutNames(key, 2)
	if err != nil {
		return err
	}
	vh, ok := b.VHost(names[0])
	if !ok {
		return nil // the vhost was deleted
	}
	c, err := decodeExchange(names[1], value)
	if err != nil {
		return err
	}
	x, err := exchange.New(vh.name, c)
	if err != nil {
		return err
	}
	vh.delay(x)
	vh.exchanges.add(c.Name, x)
	vh.deduplicateExchange(x, true)
	return nil
}

func (b *Broker) recoverQueue(key, value []byte, logs map[string]*storage.Log) error {
	names, err := cutNames(key, 2)
	if err != nil {
		return err
	}
	vh, ok := b.VHost(names[0])
	if !ok {
		return nil
	}
	c, err := decodeQueue(vh.name, names[1], value)
	if err != nil {
		return err
	}
	b.Enter()
	defer b.Leave()
	vh.addQueue(c, takeLogs(logs, vh.name, c), takeDiscards(logs, vh.name, c))
	return nil
}

func (b *Broker) recoverBinding(value []byte) error {
	vhost, d, err := decodeBinding(value)
	if err != nil {
		return err
	}
	vh, ok := b.VHost(vhost)
	if !ok {
		return nil
	}
	x, ok := vh.Exchange(d.source)
	if !ok {
		return nil
	}
	var to exchange.Destination
	if d.kind == kindExchange {
		to.Exchange, ok = vh.Exchange(d.destination)
	} else {
		var q *Queue
		q, ok = vh.Queue(d.destination)
		to.Queue = q
	}
	if !ok {
		return nil
	}
	if x.Bind(to, d.key, d.arguments) {
		vh.noteSource(to, x)
	}
	return nil
}

// forgetConfiguredUsers makes room for the users of the store: what the configuration says is for the first boot.
func (b *Broker) forgetConfiguredUsers() {
	for _, u := range b.Users.All() {
		b.Users.Delete(u.Name)
	}
}

func (b *Broker) recoverUser(_, value []byte) error {
	var u auth.User
	if err := json.Unmarshal(value, &u); err != nil {
		return err
	}
	return b.Users.Put(u)
}

func (b *Broker) recoverPermission(key, value []byte) error {
	names, err := cutNames(key, 2)
	if err != nil {
		return err
	}
	var p auth.Permission
	if err := json.Unmarshal(value, &p); err != nil {
		return err
	}
	return b.Users.SetPermissions(names[0], names[1], p)
}
