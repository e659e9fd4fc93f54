"""gql: over aiohttp, httpx, requests and two libraries for websockets. By default it asks the schema for its types first,
offers both sub-protocols for websockets, and looks headers up by their names in title case."""

import asyncio
import unittest

from gql import Client, GraphQLRequest, gql
from gql.transport.aiohttp import AIOHTTPTransport
from gql.transport.aiohttp_websockets import AIOHTTPWebsocketsTransport
from gql.transport.exceptions import TransportConnectionFailed, TransportQueryError, TransportServerError
from gql.transport.httpx import HTTPXAsyncTransport, HTTPXTransport
from gql.transport.requests import RequestsHTTPTransport
from gql.transport.websockets import WebsocketsTransport

from shop import ADJUST, API, LIST, SOCKET, STOCK, keyed, product, receipt, receive

#: How long a test waits for something that must come, in seconds.
PATIENCE = 20

#: How long gql waits, in seconds, when it closes: in vain for a subscription that has failed, and while it pings.
CLOSING = 0.1


def codes(error):
    return [one["extensions"]["code"] for one in error.errors]


async def fault(answer):
    """The codes of the errors that an answer raises. (`assertRaises` keeps what the exception came through, and with it
    the subscription that the session waits for.)"""
    try:
        await answer
    except TransportQueryError as error:
        return codes(error)
    raise AssertionError("it was answered")


class OverHttp(unittest.TestCase):
    """Requests that wait for their answer."""

    transports = (RequestsHTTPTransport, HTTPXTransport)

    def each(self, **options):
        for transport in self.transports:
            with self.subTest(transport.__name__):
                yield Client(transport=transport(API, **options), parse_results=True)

    def test_query_and_mutation_with_the_schema_of_the_server(self):
        for transport in self.transports:
            with self.subTest(transport.__name__):
                # Enums are read and written with the schema that the server told.
                client = Client(transport=transport(API), fetch_schema_from_transport=True, parse_results=True)
                product_id, sku = product(5)
                with client as session:
                    read = session.execute(GraphQLRequest(LIST, variable_values={"search": sku}))
                    self.assertEqual(read["products"]["nodes"][0]["stock"]["available"], 5)
                    self.assertIn("UserErrorCode", client.schema.type_map)
                    change = GraphQLRequest(ADJUST, variable_values=receipt(product_id, 2))
                    self.assertEqual(session.execute(change)["adjustStock"]["stocks"][0]["available"], 7)
                    refused = GraphQLRequest(ADJUST, variable_values=receipt(product_id, 0))
                    errors = session.execute(refused)["adjustStock"]["userErrors"]
                    self.assertEqual([one["code"] for one in errors], ["INVALID_QUANTITY"])

    def test_errors_have_their_codes(self):
        for client in self.each():
            with client as session, self.assertRaises(TransportQueryError) as caught:
                session.execute(gql('{ node(id: "x") { id } }'))
            self.assertEqual(codes(caught.exception), ["BAD_ID"])
            with client as session, self.assertRaises(TransportQueryError) as caught:
                session.execute(gql("{ nothing }"))
            self.assertEqual(codes(caught.exception), ["GRAPHQL_VALIDATION_FAILED"])

    def test_batches_are_refused_in_words(self):
        for client in self.each():
            with client as session, self.assertRaises(TransportServerError) as caught:
                session.execute_batch([gql("{ __typename }"), gql("{ __typename }")])
            self.assertEqual(caught.exception.code, 400)


class OverAsyncHttp(unittest.IsolatedAsyncioTestCase):
    """Requests of an event loop."""

    async def test_query_mutation_and_error(self):
        for transport in (AIOHTTPTransport, HTTPXAsyncTransport):
            with self.subTest(transport.__name__):
                client = Client(transport=transport(API), fetch_schema_from_transport=True)
                product_id, sku = product(5)
                async with client as session:
                    read = await session.execute(GraphQLRequest(LIST, variable_values={"search": sku}))
                    self.assertEqual(read["products"]["nodes"][0]["stock"]["available"], 5)
                    change = GraphQLRequest(ADJUST, variable_values=receipt(product_id, 2))
                    self.assertEqual((await session.execute(change))["adjustStock"]["stocks"][0]["available"], 7)
                    self.assertEqual(await fault(session.execute(gql('{ node(id: "x") { id } }'))), ["BAD_ID"])


class OverSocket(unittest.IsolatedAsyncioTestCase):
    """Subscriptions, and queries beside them."""

    transports = (WebsocketsTransport, AIOHTTPWebsocketsTransport)

    async def test_a_subscription_is_sent_the_present_state_and_then_each_newer_one(self):
        for transport in self.transports:
            with self.subTest(transport.__name__):
                product_id, sku = product(5)
                async with asyncio.timeout(PATIENCE), Client(transport=transport(SOCKET)) as session:
                    states = session.subscribe(GraphQLRequest(STOCK, variable_values={"ids": [product_id]}))
                    self.assertEqual((await anext(states))["stockChanged"]["available"], 5)
                    read = await session.execute(GraphQLRequest(LIST, variable_values={"search": sku}))
                    self.assertEqual(read["products"]["nodes"][0]["stock"]["available"], 5)
                    await asyncio.to_thread(receive, product_id, 2)
                    self.assertEqual((await anext(states))["stockChanged"]["available"], 7)
                    await states.aclose()

    async def test_a_mutation_and_its_refusal(self):
        for transport in self.transports:
            with self.subTest(transport.__name__):
                product_id, _ = product(5)
                async with asyncio.timeout(PATIENCE), Client(transport=transport(SOCKET)) as session:
                    for quantity, expected in ((2, []), (0, ["INVALID_QUANTITY"])):
                        change = GraphQLRequest(ADJUST, variable_values=keyed(receipt(product_id, quantity)))
                        adjusted = (await session.execute(change))["adjustStock"]
                        self.assertEqual([one["code"] for one in adjusted["userErrors"]], expected)

    async def test_pings_of_the_client_are_answered(self):
        for transport in self.transports:
            with self.subTest(transport.__name__):
                pinging = transport(SOCKET, ping_interval=0.1, pong_timeout=PATIENCE, close_timeout=CLOSING)
                async with asyncio.timeout(PATIENCE), Client(transport=pinging):
                    await pinging.pong_received.wait()

    async def test_errors_have_their_codes(self):
        for transport in self.transports:
            with self.subTest(transport.__name__):
                failing = transport(SOCKET, close_timeout=CLOSING)
                async with asyncio.timeout(PATIENCE), Client(transport=failing) as session:
                    invalid = session.execute(gql("{ nothing }"))
                    self.assertEqual(await fault(invalid), ["GRAPHQL_VALIDATION_FAILED"])
                    states = session.subscribe(GraphQLRequest(STOCK, variable_values={"ids": ["x"]}))
                    self.assertEqual(await fault(anext(states)), ["BAD_ID"])

    async def test_an_idle_session_and_the_next_one_are_independent(self):
        transport = WebsocketsTransport(SOCKET, init_payload={"headers": {}})
        client = Client(transport=transport)
        for _ in range(2):
            async with asyncio.timeout(PATIENCE), client as session:
                self.assertEqual((await session.execute(gql("{ __typename }")))["__typename"], "Query")

    async def test_the_old_protocol_alone_is_not_spoken(self):
        for transport in self.transports:
            with self.subTest(transport.__name__):
                old = transport(SOCKET, subprotocols=[transport.APOLLO_SUBPROTOCOL])
                with self.assertRaises(TransportConnectionFailed):
                    async with asyncio.timeout(PATIENCE), Client(transport=old) as session:
                        await session.execute(gql("{ __typename }"))
