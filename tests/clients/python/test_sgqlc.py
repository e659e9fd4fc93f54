"""sgqlc: types in Python that are generated from what the server says of its schema, and operations that are written with
them. It asks over HTTP for `application/json`. Its websocket endpoint speaks only the protocol before
graphql-transport-ws, which this server does not."""

import importlib.util
import json
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from sgqlc.endpoint.http import HTTPEndpoint
from sgqlc.endpoint.requests import RequestsEndpoint
from sgqlc.endpoint.websocket import WebSocketEndpoint
from sgqlc.operation import Operation
from sgqlc.types import Arg, Variable, non_null
from websocket import WebSocketException

from shop import ADJUST, API, LIST, SOCKET, STOCK, product, receipt


class Generated(unittest.TestCase):
    """Operations of generated types."""

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        told, module = Path(cls.folder.name, "schema.json"), Path(cls.folder.name, "shop_schema.py")
        run = [sys.executable, "-m", "sgqlc.introspection", API, told]
        subprocess.run(run, check=True)
        make = "import sys; from sgqlc.codegen import main; sys.exit(main())"
        subprocess.run([sys.executable, "-c", make, "schema", told, module], check=True)
        spec = importlib.util.spec_from_file_location("shop_schema", module)
        cls.schema = importlib.util.module_from_spec(spec)
        sys.modules["shop_schema"] = cls.schema
        spec.loader.exec_module(cls.schema)

    def test_a_query_with_every_field_of_a_type(self):
        product_id, sku = product(5)
        for endpoint in (HTTPEndpoint(API), RequestsEndpoint(API)):
            with self.subTest(str(endpoint)):
                read = Operation(self.schema.Query, name="Read", variables={"id": Arg(non_null(self.schema.ID))})
                read.stock(product_id=Variable("id"))
                read.stock.__fields__("id", "available", "version", "updated_at")
                listed = read.products(search=sku, availability=["IN_STOCK"], first=1).nodes()
                listed.__fields__("sku", "status")
                data = read + endpoint(read, {"id": product_id})
                self.assertEqual(data.stock.available, 5)
                self.assertEqual(data.products.nodes[0].sku, sku)
                self.assertEqual(data.products.nodes[0].status, "ACTIVE")

    def test_a_mutation_and_its_refusal(self):
        product_id, _ = product(5)
        endpoint = HTTPEndpoint(API)
        for quantity, expected in ((2, []), (0, ["INVALID_QUANTITY"])):
            change = Operation(self.schema.Mutation)
            adjusted = change.adjust_stock(input=receipt(product_id, quantity)["input"])
            adjusted.user_errors.code()
            adjusted.stocks.available()
            data = change + endpoint(change)
            self.assertEqual([one.code for one in data.adjust_stock.user_errors], expected)
        self.assertEqual(endpoint(LIST, {"search": product_id})["data"]["products"]["nodes"], [])


class Plain(unittest.TestCase):
    """Text instead of generated types."""

    def test_errors_have_their_codes(self):
        for endpoint in (HTTPEndpoint(API), RequestsEndpoint(API)):
            for query, code in (('{ node(id: "x") { id } }', "BAD_ID"), ("{ nothing }", "GRAPHQL_VALIDATION_FAILED")):
                with self.subTest(f"{endpoint} {query}"):
                    answer = endpoint(query)
                    self.assertEqual([one["extensions"]["code"] for one in answer["errors"]], [code])

    def test_queries_by_get(self):
        _, sku = product(5)
        answer = HTTPEndpoint(API, method="GET")(LIST, {"search": sku}, "List")
        self.assertEqual(answer["data"]["products"]["nodes"][0]["sku"], sku)
        answer = HTTPEndpoint(API, method="GET")(ADJUST, receipt("x", 1))
        self.assertIn("GET is for queries; POST mutations.", json.dumps(answer["errors"]))

    def test_its_websocket_endpoint_is_refused_at_once(self):
        product_id, _ = product(5)
        with self.assertRaises((WebSocketException, ValueError)):
            next(WebSocketEndpoint(SOCKET, timeout=20)(STOCK, {"ids": [product_id]}))
